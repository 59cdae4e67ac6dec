"""What is sent to the control plane and to endpoints: operations, HTTP, the token, the guard, errors of responses."""
