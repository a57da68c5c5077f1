"""Amazon ECR on your own machine: the AWS API and the docker registry in one process."""

__version__ = "0.1.0"
