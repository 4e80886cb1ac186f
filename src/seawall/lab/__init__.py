"""The lab: captured markets replayed, drills, benchmarks, reports."""
