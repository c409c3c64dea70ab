# SPDX-License-Identifier: Apache-2.0
"""The end-to-end library: each module begins with its manual.

    scenario.py  base class of the cases         consul.py  a real Consul agent
    gateway.py   the real frontdesk              origin.py  scripted service instances
    client.py    requests in bytes               load.py    background traffic
    wait.py      polling and ports               authority.py  certificates
    tokens.py    bearer tokens and their keys    dns.py  a scripted name server
"""
from .authority import Authority, have_openssl
from .client import Answer, RawClient, build, exchange, request
from .consul import Consul, find_consul
from .gateway import Gateway, run_command
from .load import Load, Parallel
from .origin import (Deaf, Origin, chunk, cut, early, gate, hang, head, origin_context, raw, reply,
                     reset, sequence, silence, slow_body)
from .scenario import Scenario
from .tokens import AUDIENCE, ISSUER, Issuer, SigningKey
from .wait import free_port, holds, wait_for

__all__ = ["AUDIENCE", "Answer", "Authority", "Consul", "Deaf", "Gateway", "ISSUER", "Issuer", "Load", "Origin", "Parallel", "RawClient",
           "Scenario", "SigningKey", "build", "chunk", "cut", "early", "exchange", "find_consul", "free_port", "gate",
           "hang", "have_openssl", "head", "holds", "origin_context", "raw", "reply", "request", "reset",
           "run_command", "sequence", "silence", "slow_body", "wait_for"]
