"""Ours and Kamailio under one load generator: what tests/bench/against_kamailio.py is made of."""
