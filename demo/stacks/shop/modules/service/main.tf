variable "name" {
  type = string
}

variable "release" {
  type = string
}

variable "seconds" {
  type = number
}

variable "cluster" {
  type = string
}

variable "database" {
  type = string
}

# A new release is a new image: replaced, not changed.
resource "terraform_data" "deployment" {
  input            = "${var.name} ${var.release} on ${var.cluster}"
  triggers_replace = var.release

  provisioner "local-exec" {
    command = "sleep ${var.seconds}"
  }
}

resource "terraform_data" "health_check" {
  input = terraform_data.deployment.output

  provisioner "local-exec" {
    command = "sleep 3"
  }
}

output "address" {
  value = "${var.name}.internal"
}
