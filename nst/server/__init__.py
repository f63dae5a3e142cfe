"""What serving strangers takes: routes, the firewall, the queue, limits, results, the page cache and the log."""
