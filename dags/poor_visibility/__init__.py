"""Will pilots see the runway in three hours? Single operators in an ordinary Dag, no ModelSpec."""
