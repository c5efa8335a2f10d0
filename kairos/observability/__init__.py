"""What operators see: records, names and formats. What writes them somewhere is in `proxy`."""
