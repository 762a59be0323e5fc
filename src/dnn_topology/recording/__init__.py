"""Any module and some inputs → the signals of its neurons; its weights → the links between them."""
