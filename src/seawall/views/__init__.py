"""Read models, built from events alone.  They know no commands."""
