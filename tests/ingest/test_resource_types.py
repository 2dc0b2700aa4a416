"""Types: their kind by the exact tables, their provider, and how they and their names read."""

from __future__ import annotations

import pytest

from ingest.resource_types import Classified, classify, display_type, is_component, resource_name
from ingest.type_tables import DYNAMIC_NAMES, KIND_OF_TYPE

DYNAMIC = "pulumi-nodejs:dynamic:Resource"


@pytest.mark.parametrize(
    ("tool_type", "kind", "provider"),
    [
        ("aws_instance", "server", "aws"),
        ("aws_eks_cluster", "server", "aws"),
        ("google_container_cluster", "server", "google"),
        ("azurerm_orchestrated_virtual_machine_scale_set", "server", "azure"),
        ("digitalocean_droplet", "server", "digitalocean"),
        ("hcloud_server", "server", "hetzner"),
        ("vultr_bare_metal_server", "server", "vultr"),
        ("linode_lke_cluster", "server", "linode"),
        ("aws_lambda_function", "webService", "aws"),
        ("google_app_engine_flexible_app_version", "webService", "google"),
        ("azurerm_app_service", "webService", "azure"),
        ("cloudflare_workers_script", "webService", "cloudflare"),
        ("vercel_project", "webService", "vercel"),
        ("render_cron_job", "webService", "render"),
        ("heroku_formation", "webService", "heroku"),
        ("supabase_edge_function", "webService", "supabase"),
        ("aws_opensearch_domain", "database", "aws"),
        ("azurerm_mariadb_server", "database", "azure"),
        ("neon_project", "database", "neon"),
        ("supabase_project", "database", "supabase"),
        ("planetscale_database", "database", "planetscale"),
        ("cloudflare_d1_database", "database", "cloudflare"),
        ("vercel_blob_store", "database", "vercel"),
        ("google_app_engine_domain_mapping", "domain", "google"),
        ("cloudflare_record", "domain", "cloudflare"),
        ("netlify_dns_record", "domain", "netlify"),
        ("aws_acm_certificate_validation", "domain", "aws"),
        ("hcloud_uploaded_certificate", "domain", "hetzner"),
        ("sst:aws:TanstackStart", "webService", "aws"),
        ("sst:cloudflare:TanStackStart", "webService", "cloudflare"),
        ("sst:aws:CDN", "webService", "aws"),
        ("sst:aws:Task", "server", "aws"),
        ("sst:aws:Dsql", "database", "aws"),
        ("sst:cloudflare:Hyperdrive", "database", "cloudflare"),
        ("sst:aws:HttpsRedirect", "domain", "aws"),
        ("aws:ec2/instance:Instance", "server", "aws"),
        ("azure-native:compute:VirtualMachine", "server", "azure"),
        ("hcloud:index/server:Server", "server", "hetzner"),
        ("gcp:cloudrunv2/service:Service", "webService", "google"),
        ("aws:opensearch/domain:Domain", "database", "aws"),
        ("cloudflare:index/record:Record", "domain", "cloudflare"),
        ("AWS::EC2::Instance", "server", "aws"),
        ("AWS::ApiGatewayV2::Api", "webService", "aws"),
        ("AWS::ElastiCache::ReplicationGroup", "database", "aws"),
        ("AWS::CertificateManager::Certificate", "domain", "aws"),
    ],
)
def test_a_type_is_classified_by_the_table(tool_type: str, kind: str, provider: str) -> None:
    assert classify(tool_type) == Classified(kind, provider)


@pytest.mark.parametrize(
    "tool_type",
    [
        "pulumi:pulumi:Stack",
        "pulumi:providers:aws",
        "random:index/randomPassword:RandomPassword",
        "command:local:Command",
        "tls:index/privateKey:PrivateKey",
        "aws:iam/role:Role",
        "aws:ec2/securityGroup:SecurityGroup",
        "aws:ec2/subnet:Subnet",
        "aws_security_group",
        "random_password",
        "heroku_addon",
        "sst:aws:Bucket",
        "sst:aws:Vpc",
        "sst:sst:Version",
        "sst:aws:Tanstackstart",
        "AWS::IAM::Role",
        "AWS::ElastiCache::SubnetGroup",
        "Custom::Thing",
        "",
        "x",
    ],
)
def test_a_type_outside_the_tables_has_no_card(tool_type: str) -> None:
    assert classify(tool_type).kind is None


@pytest.mark.parametrize("tool_type", sorted(KIND_OF_TYPE))
def test_no_part_of_a_type_decides(tool_type: str) -> None:
    assert classify(f"{tool_type}_x").kind is None
    assert classify(f"x{tool_type}").kind is None


def test_terraform_data_has_a_card_only_where_it_is_asked_for() -> None:
    assert classify("terraform_data") == Classified(None, "terraform")
    assert classify("terraform_data", show_builtin=True) == Classified("server", "terraform")
    assert classify("null_resource", show_builtin=True).kind is None


@pytest.mark.parametrize("sst_class", sorted(DYNAMIC_NAMES))
def test_ssts_dynamic_resources_are_told_apart_by_their_name(sst_class: str) -> None:
    provider = sst_class.split(".")[1]
    address = f"urn:pulumi:prod::shop::sst:aws:Router${DYNAMIC}::ShopCdnARecord.{sst_class}"
    assert classify(DYNAMIC, address) == Classified("domain", provider)


def test_other_dynamic_resources_have_no_card() -> None:
    address = f"urn:pulumi:prod::shop::{DYNAMIC}::Shop.sst.aws.HostedZoneLookup"
    assert classify(DYNAMIC, address) == Classified(None, "aws")
    assert classify(DYNAMIC, f"urn:pulumi:prod::shop::{DYNAMIC}::mine") == Classified(None, "pulumi")
    assert classify(DYNAMIC) == Classified(None, "pulumi")


def test_components_are_known_by_their_package() -> None:
    assert is_component("sst:aws:Nextjs")
    assert is_component("awsx:ec2:Vpc")
    assert not is_component("aws:rds/instance:Instance")
    assert not is_component("azure-native:compute:VirtualMachine")
    assert not is_component("AWS::RDS::DBInstance")
    assert not is_component("aws_instance")


@pytest.mark.parametrize(
    ("tool_type", "words"),
    [
        ("aws_db_instance", "db instance"),
        ("google_compute_instance_group_manager", "compute instance group manager"),
        ("terraform_data", "terraform data"),
        ("hcloud_server", "server"),
        ("aws:rds/instance:Instance", "rds instance"),
        ("cloudflare:index/dnsRecord:DnsRecord", "dns record"),
        ("azure-native:compute:VirtualMachine", "compute virtual machine"),
        ("pulumi-nodejs:dynamic:Resource", "dynamic resource"),
        ("sst:aws:Nextjs", "Nextjs"),
        ("sst:aws:ApiGatewayV2", "ApiGatewayV2"),
        ("AWS::RDS::DBInstance", "rds db instance"),
        ("AWS::ElastiCache::ReplicationGroup", "elasticache replication group"),
        ("AWS::CloudFormation::Stack", "cloudformation stack"),
        ("plain", "plain"),
    ],
)
def test_a_type_reads_without_its_provider(tool_type: str, words: str) -> None:
    assert display_type(tool_type) == words


@pytest.mark.parametrize(
    ("source", "address", "name"),
    [
        ("terraform", "aws_instance.web", "web"),
        ("terraform", "aws_instance.web[0]", "web[0]"),
        ("opentofu", 'aws_instance.web["eu.west"]', "web[eu.west]"),
        ("terraform", 'module.shop.module.db["a.b"].aws_db_instance.orders', "shop.db[a.b].orders"),
        ("terraform", "data.aws_ami.ubuntu", "ubuntu"),
        ("terraform", "odd", "odd"),
        ("pulumi", "urn:pulumi:dev::eks::aws:eks/cluster:Cluster::eks-cluster", "eks-cluster"),
        ("pulumi", "urn:pulumi:dev::eks::a:b:C$d:e:F::with::colons", "with::colons"),
        (
            "sst",
            f"urn:pulumi:prod::shop::sst:aws:Router${DYNAMIC}::ShopARecord.sst.cloudflare.DnsRecord",
            "ShopARecord",
        ),
        ("sst", "urn:pulumi:prod::shop::sst:aws:Nextjs::Web", "Web"),
        ("cloudformation", "OrdersDatabase", "OrdersDatabase"),
    ],
)
def test_a_name_is_the_short_part_of_an_address(source: str, address: str, name: str) -> None:
    assert resource_name(source, address) == name
