"""How much of a product will a store sell this week? Asked on Monday morning."""
