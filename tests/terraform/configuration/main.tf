# Nine resources that need no provider: a network, a module twice, three workers, one that fails on demand and one that
# depends on it.
variable "broken" {
  type    = bool
  default = false
}

variable "image" {
  type    = string
  default = "v1"
}

resource "terraform_data" "network" {
  provisioner "local-exec" {
    command = "sleep 0.2"
  }

  provisioner "local-exec" {
    when    = destroy
    command = "sleep 1.2"
  }
}

module "service" {
  source   = "./service"
  for_each = toset(["api", "web"])
  name     = each.key
  image    = var.image
  network  = terraform_data.network.id
}

resource "terraform_data" "worker" {
  for_each = toset(["a", "b", "c"])
  input    = terraform_data.network.id

  provisioner "local-exec" {
    command = "sleep 1.${index(["a", "b", "c"], each.key) + 1}"
  }
}

resource "terraform_data" "database" {
  triggers_replace = var.broken

  provisioner "local-exec" {
    command = var.broken ? "echo no such subnet group >&2; exit 3" : "sleep 1"
  }
}

resource "terraform_data" "domain" {
  input = terraform_data.database.id
}
