package builtin

import (
	"context"
	"errors"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/services"
)

const (
	serviceNotFound   = "Error: Service with id '<x>' not found on <scope>"
	blueprintNotFound = "Error: Blueprint '<id>' wasn't found"
)

var srvFunctions = []Function{
	{
		Service: "srv", Name: "list", Result: "[]Service",
		Doc: "Lists the services of the scope.",
		run: srvList,
	},
	{
		Service: "srv", Name: "create", Args: "blueprint_id: string", Result: "string", Guarded: true,
		Doc:    "Creates a service from a blueprint and gives its id. This peer has no blueprints yet, so none is found.",
		Errors: []string{blueprintNotFound},
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return value.Value{}, noBlueprint(c.str(0))
		},
	},
	{
		Service: "srv", Name: "remove", Args: "service_id_or_alias: string", Guarded: true, Blocks: true,
		Doc: "Removes a service. Only for the scope's own peer, the service's owner, and management peers.",
		Errors: []string{
			serviceNotFound,
			"Error: Forbidden. User id '<p>' cannot call function 'remove_service': cannot remove a spell",
			"Error: Forbidden. User id '<p>' cannot call function 'remove_service': only creator can remove service",
		},
		run: srvRemove,
	},
	{
		Service: "srv", Name: "get_interface", Args: "service_id: string", Result: "Interface",
		Doc:    "Tells the functions of a service (id or alias) and their types.",
		Errors: []string{serviceNotFound},
		run:    srvGetInterface,
	},
	{
		Service: "srv", Name: "resolve_alias", Args: "alias: string", Result: "string",
		Doc:    "Tells the id of the service with an alias.",
		Errors: []string{"Error: Service with alias '<a>' is not found on worker '<scope>'"},
		run:    srvResolveAlias,
	},
	{
		Service: "srv", Name: "resolve_alias_opt", Args: "alias: string", Result: "?string",
		Doc: "Tells the id of the service with an alias, if there is one.",
		run: func(h *host, _ context.Context, c *call) (value.Value, error) {
			if id, ok := h.registry.Alias(c.HostPeerID, c.str(0)); ok {
				return strs([]string{id}), nil
			}
			return value.EmptyArray, nil
		},
	},
	{
		Service: "srv", Name: "add_alias", Args: "alias: string, service_id: string", Guarded: true, Blocks: true,
		Doc: "Gives a service another name; a name in use moves. On the host for management peers and the host, " +
			"on a worker for management peers and the worker.",
		Errors: []string{
			"Error: Forbidden. User id '<p>' cannot call function 'add_alias': only management peer id can add top-level aliases",
			"Error: Forbidden. User id '<p>' cannot call function 'add_alias': only worker, worker creator and management peer id can add worker-level aliases",
			"Error: Cannot add alias '<a>' because it is longer than 256 bytes",
			"Error: Cannot add alias '<a>' because it is reserved",
			"Error: Cannot add alias '<a>' because there is a service with that id",
			serviceNotFound,
		},
		run: srvAddAlias,
	},
	{
		Service: "srv", Name: "info", Args: "service_id_or_alias: string", Result: "Service",
		Doc:    "Describes a service.",
		Errors: []string{serviceNotFound},
		run: func(h *host, _ context.Context, c *call) (value.Value, error) {
			info, err := h.lookup(c, c.str(0))
			if err != nil {
				return value.Value{}, err
			}
			return record(info), nil
		},
	},
}

func (h *host) lookup(c *call, idOrAlias string) (services.Info, error) {
	info, ok := h.registry.Lookup(c.HostPeerID, idOrAlias)
	if !ok {
		return info, h.notFound(c, idOrAlias)
	}
	return info, nil
}

func (h *host) notFound(c *call, id string) error {
	return typed("Service with id '%s' not found on %s", services.Cut(id), h.registry.ScopeName(c.HostPeerID))
}

func noBlueprint(id string) error { return typed("Blueprint '%s' wasn't found", services.Cut(id)) }

func record(s services.Info) value.Value {
	return object(
		"id", value.String(s.ID), "blueprint_id", value.String(s.Blueprint), "service_type", value.String(string(s.Kind)),
		"owner_id", value.String(s.Owner), "aliases", strs(s.Aliases), "worker_id", value.String(s.Scope),
	)
}

func srvList(h *host, _ context.Context, c *call) (value.Value, error) {
	var records []value.Value
	for _, info := range h.registry.List(c.HostPeerID) {
		records = append(records, record(info))
	}
	return value.Array(records), nil
}

func srvRemove(h *host, _ context.Context, c *call) (value.Value, error) {
	info, err := h.lookup(c, c.str(0))
	if err != nil {
		return value.Value{}, err
	}
	const forbidden = "Forbidden. User id '%s' cannot call function 'remove_service': %s"
	p := c.InitPeerID
	switch {
	case info.Kind == services.Spell:
		return value.Value{}, typed(forbidden, p, "cannot remove a spell")
	case p != c.HostPeerID && p != info.Owner && !h.registry.IsManagement(p):
		return value.Value{}, typed(forbidden, p, "only creator can remove service")
	}
	err = h.registry.Unregister(c.HostPeerID, info.ID)
	switch {
	case errors.Is(err, services.ErrNotFound): // removed meanwhile
		return value.Value{}, h.notFound(c, c.str(0))
	case err != nil:
		return value.Value{}, typed("%v", err)
	}
	return unit, nil
}

func srvGetInterface(h *host, _ context.Context, c *call) (value.Value, error) {
	info, err := h.lookup(c, c.str(0))
	if err != nil {
		return value.Value{}, err
	}
	var signatures []value.Value
	for _, s := range signaturesOf(info) {
		args := make([]value.Value, len(s.Arguments))
		for i, a := range s.Arguments {
			args[i] = strs([]string{a.Name, a.Type})
		}
		signatures = append(signatures, object("name", value.String(s.Name),
			"arguments", value.Array(args), "output_types", strs(s.Outputs)))
	}
	return object("function_signatures", value.Array(signatures), "record_types", value.EmptyArray), nil
}

// signaturesOf describes a service by what it tells: signatures, or at least names.
func signaturesOf(info services.Info) []services.Signature {
	if d, ok := info.Handler.(services.Describer); ok {
		return d.Signatures()
	}
	var list []services.Signature
	for _, name := range info.Functions {
		list = append(list, services.Signature{Name: name})
	}
	return list
}

func srvResolveAlias(h *host, _ context.Context, c *call) (value.Value, error) {
	id, ok := h.registry.Alias(c.HostPeerID, c.str(0))
	if !ok {
		return value.Value{}, typed("Service with alias '%s' is not found on worker '%s'",
			services.Cut(c.str(0)), h.registry.ScopeName(c.HostPeerID))
	}
	return value.String(id), nil
}

// maxAlias is the longest alias. Aliases are kept, and shown in metrics.
const maxAlias = 256

func srvAddAlias(h *host, _ context.Context, c *call) (value.Value, error) {
	alias, id := c.str(0), c.str(1)
	if len(alias) > maxAlias {
		return value.Value{}, typed("Cannot add alias '%s' because it is longer than %d bytes", services.Cut(alias), maxAlias)
	}
	if err := h.mayAddAlias(c, alias); err != nil {
		return value.Value{}, err
	}
	err := h.registry.AddAlias(c.HostPeerID, alias, id)
	switch {
	case errors.Is(err, services.ErrIsID):
		return value.Value{}, typed("Cannot add alias '%s' because there is a service with that id", services.Cut(alias))
	case errors.Is(err, services.ErrNotFound):
		return value.Value{}, h.notFound(c, id)
	case err != nil:
		return value.Value{}, typed("%v", err)
	}
	return unit, nil
}

func (h *host) mayAddAlias(c *call, alias string) error {
	const forbidden = "Forbidden. User id '%s' cannot call function 'add_alias': %s"
	p, hostScope := c.InitPeerID, c.HostPeerID == h.registry.Host()
	trusted := p == h.registry.Host() || h.registry.IsManagement(p)
	switch {
	case hostScope && !trusted:
		return typed(forbidden, p, "only management peer id can add top-level aliases")
	case !hostScope && p != c.HostPeerID && !h.registry.IsManagement(p):
		return typed(forbidden, p, "only worker, worker creator and management peer id can add worker-level aliases")
	case alias == "spell" || alias == "self" || alias == "worker-spell" && !trusted:
		return typed("Cannot add alias '%s' because it is reserved", services.Cut(alias))
	}
	return nil
}
