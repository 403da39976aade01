"""What a user says: populations, projections, stimuli; floats are allowed here."""
