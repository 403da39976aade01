"""lava-dl's network exchange files (.net, HDF5) in."""
