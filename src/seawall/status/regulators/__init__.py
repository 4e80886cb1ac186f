"""What regulators must be told of an incident: its class, the clocks, and drafts of the reports."""
