"""`slipway demo`: a scratch Slipway with people in it and real Terraform runs to watch."""
