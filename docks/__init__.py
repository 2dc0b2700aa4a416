"""Provider accounts: one adapter a provider, behind one interface and a registry.

Adapters know no database; `sync` alone does.
"""
