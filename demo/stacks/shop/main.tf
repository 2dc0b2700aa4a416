# A shop in production: a network, a cluster, three services from one module, a database and two domains.
# terraform_data is built into Terraform, so nothing is downloaded and nothing is really made; the sleeps are what a
# cloud would take.

terraform {
  required_version = ">= 1.4"
}

variable "release" {
  type    = string
  default = "2026.11.1"
}

locals {
  services = {
    storefront = { seconds = 12 }
    checkout   = { seconds = 20 }
    search     = { seconds = 8 }
  }
}

resource "terraform_data" "network" {
  input = "10.20.0.0/16"

  provisioner "local-exec" {
    command = "sleep 4"
  }
}

resource "terraform_data" "cluster" {
  input = terraform_data.network.output

  provisioner "local-exec" {
    command = "sleep 15"
  }
}

resource "terraform_data" "orders_database" {
  input = "postgresql 16 in ${terraform_data.network.output}"

  provisioner "local-exec" {
    command = "sleep 30"
  }
}

resource "terraform_data" "sessions_cache" {
  input = "redis in ${terraform_data.network.output}"

  provisioner "local-exec" {
    command = "sleep 8"
  }
}

module "service" {
  source   = "./modules/service"
  for_each = local.services

  name     = each.key
  release  = var.release
  seconds  = each.value.seconds
  cluster  = terraform_data.cluster.output
  database = terraform_data.orders_database.output
}

resource "terraform_data" "domain" {
  for_each = toset(["shop.example.com", "checkout.example.com"])
  input    = "${each.key} -> ${join(", ", [for service in module.service : service.address])}"

  provisioner "local-exec" {
    command = "sleep 8"
  }
}
