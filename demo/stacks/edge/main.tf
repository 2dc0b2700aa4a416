# Something small that is deployed again and again: each release replaces the workers, one region after the other.

terraform {
  required_version = ">= 1.4"
}

variable "release" {
  type    = number
  default = 1
}

variable "regions" {
  type    = map(number)
  default = { frankfurt = 3, virginia = 5, singapore = 7 }
}

resource "terraform_data" "certificate" {
  input = "*.edge.example.com"

  provisioner "local-exec" {
    command = "sleep 2"
  }
}

resource "terraform_data" "worker" {
  for_each = var.regions

  input            = "${each.key} with ${terraform_data.certificate.output}"
  triggers_replace = var.release

  provisioner "local-exec" {
    command = "sleep ${each.value}"
  }
}
