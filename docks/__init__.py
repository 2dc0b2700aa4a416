"""Provider accounts: one adapter a provider, behind one interface and a registry; no database and no Flask."""
