"""What a measured topology is good for: stopping in time, foretelling the gap, finding adversarial inputs."""
