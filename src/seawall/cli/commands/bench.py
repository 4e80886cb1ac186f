"""`seawall bench`.  The rule: every figure stands beside what it is compared to."""
