"""Who may do what: IAM's policy language, evaluated as the IAM user guide describes it.

requests     who asks for what, and what else is known about the request
patterns     * and ? and ${variables} in what policies name
operators    what the condition operators compare
conditions   one line of a Condition block: its operator, its key, and a key that is not there
matching     actions, resources and principals of a statement
policies     a JSON document, read into statements
evaluation   the decision over all policies, with AWS's because-clause
explanation  for each statement, why it did or did not apply

Why no library does this: docs/decisions/0006-authorization.md.
"""
