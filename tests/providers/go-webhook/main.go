// SPDX-License-Identifier: Apache-2.0

// Command webhook serves external-dns's own in-memory provider through external-dns's own webhook server, so that the
// other side of the protocol is the real one.
//
//	webhook ADDRESS ZONE...      prints "ready" once it listens; what it answers to GET / is a filter of the zones
//
// Two faults of real providers are played: a record of type A whose target is 192.0.2.250 is refused with the whole
// batch, and sets called "lower" have their TTL raised to 120 by AdjustEndpoints.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"
	"sigs.k8s.io/external-dns/provider/inmemory"
	"sigs.k8s.io/external-dns/provider/webhook/api"
)

type picky struct {
	*inmemory.InMemoryProvider
	filter *endpoint.DomainFilter
}

func (p *picky) GetDomainFilter() endpoint.DomainFilterInterface {
	return p.filter
}

func (p *picky) ApplyChanges(ctx context.Context, changes *plan.Changes) error {
	for _, list := range [][]*endpoint.Endpoint{changes.Create, changes.UpdateNew} {
		for _, one := range list {
			if one.RecordType == "A" && len(one.Targets) > 0 && one.Targets[0] == "192.0.2.250" {
				return errors.New("that address is not to my liking")
			}
		}
	}
	return p.InMemoryProvider.ApplyChanges(ctx, changes)
}

func (p *picky) AdjustEndpoints(endpoints []*endpoint.Endpoint) ([]*endpoint.Endpoint, error) {
	for _, one := range endpoints {
		if strings.HasPrefix(one.DNSName, "lower.") && one.RecordTTL < 120 {
			one.RecordTTL = 120
		}
	}
	return endpoints, nil
}

func main() {
	memory := inmemory.NewInMemoryProvider(inmemory.InMemoryInitZones(os.Args[2:]))
	served := &picky{InMemoryProvider: memory, filter: endpoint.NewDomainFilter(os.Args[2:])}
	started := make(chan struct{})
	go func() {
		<-started
		fmt.Println("ready")
	}()
	api.StartHTTPApi(served, started, 30*time.Second, 30*time.Second, os.Args[1])
}
