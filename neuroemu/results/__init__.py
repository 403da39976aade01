"""What a run leaves: spikes, counts, times, reports, recordings."""
