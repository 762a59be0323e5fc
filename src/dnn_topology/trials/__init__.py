"""Several runs at once: trained side by side, put into groups that differ in the seed alone, compared on disk."""
