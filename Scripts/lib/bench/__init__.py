"""What Scripts/bench is made of: processes and what the kernel says of them, peers, scenarios, the report."""
