"""What tests/bench/soak.py is made of."""
