"""What `aeos sde-compare` is made of."""
