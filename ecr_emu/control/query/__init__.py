"""IAM and STS: AWS APIs with the query protocol, forms in and XML out.

wire         the HTTP request, and the only `try`
forms        what the client sent
answers      XML, and the errors of the JSON API under the names that they have here
permissions  may the caller do this?
resources    the ARN that an action of IAM is about
sts          operations of STS, all our own
sessions     temporary keys
web_identity tokens of other identity providers
moto_iam     IAM: moto is asked, with the state that the database has
moto_state   moto's objects as bytes, and back
mirror       who signs here because moto knows it
constraints  what the model of IAM says about members

docs/decisions/0009-moto.md says why it is so.
"""
