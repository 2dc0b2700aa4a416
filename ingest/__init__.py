"""What a tool says, turned into changes. Pure: lines in, `Change` records out; one module a source."""
