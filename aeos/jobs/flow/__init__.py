"""What `aeos flow-compare` is made of."""
