"""The compiled artefact and the memory it starts from."""
