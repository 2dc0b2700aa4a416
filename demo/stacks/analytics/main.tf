# A warehouse that does not come up at first: its account may run fewer nodes than are asked for. What stands on it
# is not started. With fewer nodes the same configuration goes through.

terraform {
  required_version = ">= 1.4"
}

variable "warehouse_nodes" {
  type    = number
  default = 12
}

variable "nodes_allowed" {
  type    = number
  default = 8
}

resource "terraform_data" "bucket" {
  for_each = toset(["events", "exports"])
  input    = "analytics-${each.key}"

  provisioner "local-exec" {
    command = "sleep 5"
  }
}

resource "terraform_data" "stream" {
  input = "clicks -> ${terraform_data.bucket["events"].output}"

  provisioner "local-exec" {
    command = "sleep 30"
  }
}

resource "terraform_data" "warehouse" {
  input = "${var.warehouse_nodes} nodes on ${terraform_data.bucket["events"].output}"

  provisioner "local-exec" {
    command = <<-EOT
      sleep 9
      if [ ${var.warehouse_nodes} -gt ${var.nodes_allowed} ]; then
        echo "QuotaExceeded: ${var.warehouse_nodes} nodes requested, this account may run ${var.nodes_allowed}." >&2
        echo "Ask for more under Service Quotas, or request fewer nodes." >&2
        exit 1
      fi
    EOT
  }
}

resource "terraform_data" "dashboards" {
  input = terraform_data.warehouse.output

  provisioner "local-exec" {
    command = "sleep 6"
  }
}
