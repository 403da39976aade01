"""Training: data, encoders, rules at work, what is watched."""
