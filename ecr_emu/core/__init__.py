"""The verbs that more than one entrance needs. Both planes come through here."""
