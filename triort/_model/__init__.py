"""Values only: ids, messages, outcomes, errors, limits. Nothing here acts."""
