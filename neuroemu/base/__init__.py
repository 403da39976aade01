"""What everything stands on: errors, files, where things are found."""
