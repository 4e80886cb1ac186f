"""The control cell: verdicts, postures, incidents and the way back."""
