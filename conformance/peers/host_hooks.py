"""Lets schemathesis send status lists: to it they are text."""

import schemathesis

schemathesis.serializer.alias(["application/statuslist+jwt", "application/statuslist+cwt"], "text/plain")
