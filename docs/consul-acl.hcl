# What a gateway's token needs in Consul, and what for. Take away what is not switched on:
# `frontdesk check --consul` says which rights are missing, and which line gives them.
#
#   consul acl policy create -name frontdesk -rules @consul-acl.hcl
#   consul acl token create -description "frontdesk on gw-1" -policy-name frontdesk

# Always: the list of services, their tags, and Consul's own traffic rules. Instead of all of them,
# those that routes use: service "orders" { policy = "read" }
service_prefix "" { policy = "read" }

# Always: the nodes that instances run on. Without it services are listed, but seem to have no
# instances.
node_prefix "" { policy = "read" }

# `consul.agent_restart_hold:` (on unless it is 0) - on which node the agent is, whose instances look
# bad for a moment when the agent was restarted. The gateway does without it, if not as well.
agent_prefix "" { policy = "read" }

# `registration:` - its own entry in the catalog, under the name that is configured.
service "frontdesk" { policy = "write" }

# `fleet:` - what the gateways tell each other (`fleet.prefix`), and the sessions that say who is
# alive.
key_prefix "frontdesk/" { policy = "write" }
session_prefix "" { policy = "write" }

# `consul.config_prefix:` - the configuration in Consul, to read only: who may change it is somebody
# else's affair. Even if it lay below the prefix of the fleet, the longer prefix counts.
key_prefix "frontdesk-config/" { policy = "read" }

# `consul.fabio_kv: fabio/config` - the route commands of fabio.
key_prefix "fabio/config" { policy = "read" }

# `api_keys: { partners: { kv: frontdesk/keys } }` - the keys of API clients, to read only, too.
key_prefix "frontdesk/keys" { policy = "read" }
