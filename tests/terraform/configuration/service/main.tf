variable "name" { type = string }
variable "image" { type = string }
variable "network" { type = string }

resource "terraform_data" "this" {
  input            = "${var.network}/${var.name}"
  triggers_replace = var.image

  provisioner "local-exec" {
    command = "sleep 1.2"
  }
}
