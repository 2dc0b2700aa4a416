"""Which types of each tool have a card, and of which kind.

Terraform types are from the providers' own lists of resources, SST types from `__pulumiType` in SST's components,
Pulumi types from its providers' schemas or by their naming rule, CloudFormation types from the resource reference.
A type that is not here has no card; it still counts in its run.
"""

from __future__ import annotations

SERVER, WEB_SERVICE, DATABASE, DOMAIN = "server", "webService", "database", "domain"


def _types(prefix: str, names: str) -> tuple[str, ...]:
    return tuple(prefix + name for name in names.split())


_TERRAFORM: dict[str, tuple[str, ...]] = {
    SERVER: (
        *_types("aws_", "instance spot_instance_request lightsail_instance autoscaling_group eks_cluster"),
        *_types("google_", "compute_instance compute_instance_from_template compute_instance_group_manager"),
        *_types("google_", "container_cluster"),
        *_types("azurerm_", "linux_virtual_machine windows_virtual_machine virtual_machine"),
        *_types("azurerm_", "linux_virtual_machine_scale_set windows_virtual_machine_scale_set"),
        *_types("azurerm_", "orchestrated_virtual_machine_scale_set kubernetes_cluster"),
        *_types("digitalocean_", "droplet droplet_autoscale kubernetes_cluster"),
        *_types("hcloud_", "server"),
        *_types("vultr_", "instance bare_metal_server kubernetes"),
        *_types("linode_", "instance lke_cluster"),
    ),
    WEB_SERVICE: (
        *_types("aws_", "ecs_service lambda_function apprunner_service elastic_beanstalk_environment amplify_app"),
        *_types("aws_", "apigatewayv2_api api_gateway_rest_api cloudfront_distribution lb alb"),
        *_types("google_", "cloud_run_service cloud_run_v2_service cloudfunctions_function cloudfunctions2_function"),
        *_types("google_", "app_engine_application app_engine_standard_app_version app_engine_flexible_app_version"),
        *_types("google_", "firebase_hosting_site firebase_app_hosting_backend"),
        *_types("azurerm_", "linux_web_app windows_web_app linux_function_app windows_function_app"),
        *_types("azurerm_", "function_app_flex_consumption static_web_app container_app container_group"),
        # No longer in the provider, still in use.
        *_types("azurerm_", "app_service static_site"),
        *_types("digitalocean_", "app loadbalancer cdn"),
        *_types("hcloud_", "load_balancer"),
        *_types("vultr_", "load_balancer"),
        *_types("linode_", "nodebalancer"),
        *_types("cloudflare_", "workers_script worker workers_deployment pages_project load_balancer"),
        *_types("vercel_", "project deployment"),
        *_types("render_", "web_service static_site private_service background_worker cron_job"),
        *_types("heroku_", "app build formation"),
        *_types("supabase_", "edge_function"),
    ),
    DATABASE: (
        *_types("aws_", "db_instance rds_cluster rds_cluster_instance dynamodb_table dsql_cluster"),
        *_types("aws_", "elasticache_cluster elasticache_replication_group elasticache_serverless_cache"),
        *_types("aws_", "memorydb_cluster docdb_cluster neptune_cluster redshift_cluster opensearch_domain"),
        *_types("google_", "sql_database_instance sql_database alloydb_cluster alloydb_instance spanner_instance"),
        *_types("google_", "spanner_database bigtable_instance firestore_database redis_instance redis_cluster"),
        *_types("google_", "memorystore_instance memcache_instance"),
        *_types("azurerm_", "mssql_server mssql_database mssql_managed_instance mysql_flexible_server"),
        *_types("azurerm_", "postgresql_flexible_server cosmosdb_account cosmosdb_postgresql_cluster redis_cache"),
        *_types("azurerm_", "managed_redis mongo_cluster mariadb_server redis_enterprise_cluster"),
        *_types("digitalocean_", "database_cluster database_db database_replica vector_database"),
        *_types("vultr_", "database database_db database_replica"),
        *_types("linode_", "database_mysql_v2 database_postgresql_v2"),
        *_types("cloudflare_", "d1_database hyperdrive_config workers_kv_namespace"),
        *_types("vercel_", "edge_config blob_store"),
        *_types("render_", "postgres keyvalue redis"),
        *_types("neon_", "project branch database endpoint"),
        *_types("planetscale_", "vitess_branch postgres_branch vitess_keyspace database"),
        *_types("supabase_", "project branch"),
    ),
    DOMAIN: (
        *_types("aws_", "route53_zone route53_record route53domains_registered_domain acm_certificate"),
        *_types("aws_", "acm_certificate_validation apigatewayv2_domain_name api_gateway_domain_name"),
        *_types("aws_", "amplify_domain_association"),
        *_types("google_", "dns_managed_zone dns_record_set clouddomains_registration cloud_run_domain_mapping"),
        *_types("google_", "app_engine_domain_mapping firebase_hosting_custom_domain certificate_manager_certificate"),
        *_types("azurerm_", "dns_zone private_dns_zone dns_a_record dns_cname_record dns_txt_record"),
        *_types("azurerm_", "app_service_custom_hostname_binding container_app_custom_domain"),
        *_types("azurerm_", "static_web_app_custom_domain cdn_frontdoor_custom_domain"),
        *_types("digitalocean_", "domain record certificate"),
        *_types("hcloud_", "zone zone_rrset zone_record rdns managed_certificate uploaded_certificate"),
        *_types("vultr_", "dns_domain dns_record"),
        *_types("linode_", "domain domain_record rdns"),
        # `record` is the name of `dns_record` before version 5 of the provider.
        *_types("cloudflare_", "zone dns_record record workers_custom_domain pages_domain custom_hostname"),
        *_types("cloudflare_", "registrar_domain certificate_pack"),
        *_types("vercel_", "project_domain dns_record alias custom_certificate"),
        *_types("netlify_", "dns_zone dns_record"),
        *_types("heroku_", "domain ssl"),
    ),
}
"""`heroku_addon` is not here: only its plan tells whether it is a database, and the stream does not give the plan."""

_SST: dict[str, tuple[str, ...]] = {
    # A task is a container that is run, not one that answers.
    SERVER: _types("sst:aws:", "Task"),
    WEB_SERVICE: (
        # SST writes TanstackStart for AWS and TanStackStart for Cloudflare.
        *_types("sst:aws:", "Nextjs Remix Astro Nuxt SvelteKit SolidStart TanstackStart Analog React StaticSite"),
        *_types("sst:aws:", "Service Function ApiGatewayV1 ApiGatewayV2 ApiGatewayWebSocket AppSync Router CDN Alb"),
        *_types("sst:aws:", "Auth Realtime OpenControl Cluster"),
        *_types("sst:cloudflare:", "Worker StaticSite Astro ReactRouter SolidStart TanStackStart Auth"),
    ),
    DATABASE: (
        *_types("sst:aws:", "Aurora Postgres Mysql Redis Dynamo Dsql OpenSearch Vector"),
        *_types("sst:cloudflare:", "D1 Kv Hyperdrive"),
    ),
    DOMAIN: _types("sst:aws:", "Certificate HttpsRedirect"),
}

_PULUMI: dict[str, tuple[str, ...]] = {
    SERVER: (
        *_types("aws:", "ec2/instance:Instance ec2/spotInstanceRequest:SpotInstanceRequest"),
        *_types("aws:", "lightsail/instance:Instance autoscaling/group:Group eks/cluster:Cluster"),
        "gcp:compute/instance:Instance",
        "azure-native:compute:VirtualMachine",
        "azure:compute/linuxVirtualMachine:LinuxVirtualMachine",
        "digitalocean:index/droplet:Droplet",
        "hcloud:index/server:Server",
        "linode:index/instance:Instance",
        "vultr:index/instance:Instance",
    ),
    WEB_SERVICE: (
        *_types("aws:", "ecs/service:Service lambda/function:Function apprunner/service:Service"),
        *_types("aws:", "apigatewayv2/api:Api apigateway/restApi:RestApi cloudfront/distribution:Distribution"),
        *_types("aws:", "lb/loadBalancer:LoadBalancer elasticbeanstalk/environment:Environment amplify/app:App"),
        *_types("gcp:", "cloudrunv2/service:Service cloudfunctionsv2/function:Function"),
        *_types("azure-native:", "web:WebApp app:ContainerApp"),
        "digitalocean:index/app:App",
        *_types("cloudflare:index/", "workersScript:WorkersScript pagesProject:PagesProject"),
        *_types("vercel:index/", "project:Project deployment:Deployment"),
    ),
    DATABASE: (
        *_types("aws:", "rds/instance:Instance rds/cluster:Cluster rds/clusterInstance:ClusterInstance"),
        *_types("aws:", "dynamodb/table:Table dsql/cluster:Cluster elasticache/cluster:Cluster"),
        *_types("aws:elasticache/", "replicationGroup:ReplicationGroup serverlessCache:ServerlessCache"),
        *_types("aws:", "docdb/cluster:Cluster opensearch/domain:Domain redshift/cluster:Cluster"),
        *_types("gcp:", "sql/databaseInstance:DatabaseInstance spanner/instance:Instance redis/instance:Instance"),
        *_types("azure-native:", "dbforpostgresql:Server sql:Database"),
        "digitalocean:index/databaseCluster:DatabaseCluster",
        *_types("cloudflare:index/", "d1Database:D1Database"),
        "planetscale:index/database:Database",
    ),
    DOMAIN: (
        *_types("aws:", "route53/zone:Zone route53/record:Record route53domains/registeredDomain:RegisteredDomain"),
        *_types("aws:", "acm/certificate:Certificate acm/certificateValidation:CertificateValidation"),
        "aws:apigatewayv2/domainName:DomainName",
        *_types("cloudflare:index/", "dnsRecord:DnsRecord record:Record zone:Zone"),
        "cloudflare:index/workersCustomDomain:WorkersCustomDomain",
        *_types("gcp:dns/", "managedZone:ManagedZone recordSet:RecordSet"),
        *_types("digitalocean:index/", "domain:Domain dnsRecord:DnsRecord"),
        *_types("vercel:index/", "dnsRecord:DnsRecord projectDomain:ProjectDomain"),
    ),
}

_CLOUDFORMATION: dict[str, tuple[str, ...]] = {
    SERVER: ("AWS::EC2::Instance",),
    WEB_SERVICE: (
        *_types("AWS::", "ECS::Service Lambda::Function AppRunner::Service CloudFront::Distribution ApiGatewayV2::Api"),
    ),
    DATABASE: (
        *_types("AWS::", "RDS::DBInstance RDS::DBCluster DynamoDB::Table"),
        # Those of AWS::ElastiCache::* that hold data; its groups and users do not.
        *_types("AWS::ElastiCache::", "CacheCluster ReplicationGroup ServerlessCache GlobalReplicationGroup"),
    ),
    DOMAIN: _types("AWS::", "Route53::HostedZone Route53::RecordSet CertificateManager::Certificate"),
}

KIND_OF_TYPE: dict[str, str] = {
    tool_type: kind
    for table in (_TERRAFORM, _SST, _PULUMI, _CLOUDFORMATION)
    for kind, tool_types in table.items()
    for tool_type in tool_types
}
"""The kind of every type that has a card."""

DYNAMIC_NAMES: dict[str, str] = {"sst.cloudflare.DnsRecord": DOMAIN, "sst.vercel.DnsRecord": DOMAIN}
"""The kind of SST's dynamic resources, by the class that ends their name."""

PROVIDER_WORDS: dict[str, str] = {
    "aws-native": "aws",
    "azure-native": "azure",
    "azuread": "azure",
    "azapi": "azure",
    "azurerm": "azure",
    "gcp": "google",
    "google-beta": "google",
    "google-native": "google",
    "hcloud": "hetzner",
    "awscc": "aws",
    "pulumi-nodejs": "pulumi",
    "pulumi-python": "pulumi",
    "null": "terraform",
}
"""Plain words for providers that tools call by another name; the others are called by their own."""
