package builtin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/ipfs/go-cid"

	"github.com/aquanode/aquanode/interpreter/value"
	"github.com/aquanode/aquanode/services"
)

// noModules is what this peer answers to all that would store a wasm module or a blueprint.
const noModules = "This peer does not run wasm services yet: modules and blueprints cannot be added"

const (
	badBase64    = "Error: Error while decoding module bytes from base64: <why>"
	badBlueprint = "Error deserializing blueprint from IPLD: <why>"
)

var distFunctions = []Function{
	{
		Service: "dist", Name: "add_module", Args: "module_bytes: string, config: object", Result: "string", Guarded: true,
		Doc:    "Adds a wasm module (base64) and gives its CID.",
		Errors: []string{badBase64, badConfig, noModules},
		run:    distAddModule,
	},
	{
		Service: "dist", Name: "add_module_from_vault", Args: "module_path: string, config: object", Result: "string", Guarded: true, Blocks: true,
		Doc:    "Adds a wasm module from the particle's vault.",
		Errors: []string{catFailed, badConfig, noModules},
		run: func(h *host, _ context.Context, c *call) (value.Value, error) {
			if err := c.grow(jsonGrowth * len(c.value(1).Text())); err != nil {
				return value.Value{}, err
			}
			if _, err := readConfig("config", c.value(1)); err != nil {
				return value.Value{}, err
			}
			return h.addFromVault(c, c.str(0))
		},
	},
	{
		Service: "dist", Name: "add_module_bytes_from_vault", Args: "module_name: string, module_path: string", Result: "string", Guarded: true, Blocks: true,
		Doc:    "Adds a wasm module from the particle's vault under a name.",
		Errors: []string{catFailed, noModules},
		run: func(h *host, _ context.Context, c *call) (value.Value, error) {
			return h.addFromVault(c, c.str(1))
		},
	},
	{
		Service: "dist", Name: "add_blueprint", Args: "blueprint: string", Result: "string", Guarded: true,
		Doc:    "Adds a blueprint (DAG-JSON) and gives its CID.",
		Errors: []string{badBlueprint, "Error: Blueprint '<name>' has empty list of dependencies", noModules},
		run:    distAddBlueprint,
	},
	{
		Service: "dist", Name: "make_module_config",
		Args: "name: string, mem_pages_count: ?u32, max_heap_size: ?string, logger_enabled: ?bool, preopened_files: ?[]string, " +
			"envs: ?[]pair, mapped_dirs: ?[]pair, mounted_binaries: ?[]pair, logging_mask: ?i32",
		Result: "ModuleConfig",
		Doc:    "Makes the configuration of a module. mem_pages_count, max_heap_size and preopened_files are not used.",
		run:    distMakeModuleConfig,
	},
	{
		Service: "dist", Name: "load_module_config", Args: "config_path: string", Result: "ModuleConfig", Blocks: true,
		Doc:    "Reads the configuration of a module from a JSON file in the particle's vault.",
		Errors: []string{catFailed, "Error: Error parsing module config from vault \"<path>\": <why>"},
		run:    distLoadModuleConfig,
	},
	{
		Service: "dist", Name: "default_module_config", Args: "module_name: string", Result: "ModuleConfig",
		Doc: "Makes the configuration of a module with nothing but its name.",
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			if err := c.grow(configGrowth * len(c.value(0).Text())); err != nil {
				return value.Value{}, err
			}
			return moduleConfig{Name: c.str(0)}.value()
		},
	},
	{
		Service: "dist", Name: "make_blueprint", Args: "name: string, dependencies: []string", Result: "string",
		Doc:    "Makes a blueprint (DAG-JSON) of modules given by their CIDs.",
		Errors: []string{"Error: Error deserializing field 'dependencies': <why>"},
		run:    distMakeBlueprint,
	},
	{
		Service: "dist", Name: "load_blueprint", Args: "blueprint_path: string", Result: "string", Blocks: true,
		Doc:    "Reads a blueprint (DAG-JSON) from the particle's vault.",
		Errors: []string{catFailed, "Error parsing blueprint from vault \"<path>\": <why>"},
		run:    distLoadBlueprint,
	},
	{
		Service: "dist", Name: "list_modules", Result: "[]Module",
		Doc: "Lists the wasm modules of the peer.",
		run: emptyList,
	},
	{
		Service: "dist", Name: "get_module_interface", Args: "hex_hash: string", Result: "Interface",
		Doc:    "Tells the functions of a wasm module.",
		Errors: []string{"Module '<hash>' wasn't found"},
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return value.Value{}, plain("Module '%s' wasn't found", services.Cut(c.str(0)))
		},
	},
	{
		Service: "dist", Name: "list_blueprints", Result: "[]Blueprint",
		Doc: "Lists the blueprints of the peer.",
		run: emptyList,
	},
	{
		Service: "dist", Name: "get_blueprint", Args: "blueprint_id: string", Result: "Blueprint",
		Doc:    "Describes a blueprint.",
		Errors: []string{blueprintNotFound},
		run: func(_ *host, _ context.Context, c *call) (value.Value, error) {
			return value.Value{}, noBlueprint(c.str(0))
		},
	},
}

func emptyList(*host, context.Context, *call) (value.Value, error) { return value.EmptyArray, nil }

func distAddModule(_ *host, _ context.Context, c *call) (value.Value, error) {
	if err := c.grow(2*len(c.value(0).Text()) + jsonGrowth*len(c.value(1).Text())); err != nil {
		return value.Value{}, err
	}
	if _, err := readConfig("config", c.value(1)); err != nil {
		return value.Value{}, err
	}
	if _, err := base64.StdEncoding.DecodeString(c.str(0)); err != nil {
		return value.Value{}, typed("Error while decoding module bytes from base64: %v", err)
	}
	return value.Value{}, plain(noModules)
}

func (h *host) addFromVault(c *call, path string) (value.Value, error) {
	if h.Vault == nil || h.Keys == nil {
		return value.Value{}, disabled(c, "vault")
	}
	if _, err := h.Vault.Read(VaultOf(h.Keys, c.Call), path); err != nil {
		return value.Value{}, plain("Error reading vault file `%s`", services.Cut(path))
	}
	return value.Value{}, plain(noModules)
}

func distAddBlueprint(_ *host, _ context.Context, c *call) (value.Value, error) {
	if err := c.grow(jsonGrowth * len(c.value(0).Text())); err != nil {
		return value.Value{}, err
	}
	b, err := readBlueprint(c.str(0))
	if err != nil {
		return value.Value{}, plain("Error deserializing blueprint from IPLD: %v", err)
	}
	if len(b.dependencies) == 0 {
		return value.Value{}, typed("Blueprint '%s' has empty list of dependencies", services.Cut(b.name))
	}
	return value.Value{}, plain(noModules)
}

// moduleConfig is the configuration of a module as scripts see it. The first three fields are
// always there, and those of wasi if it is.
type moduleConfig struct {
	Name            string            `json:"name"`
	LoadFrom        *string           `json:"load_from"`
	FileName        *string           `json:"file_name"`
	LoggerEnabled   *bool             `json:"logger_enabled,omitempty"`
	LoggingMask     *int32            `json:"logging_mask,omitempty"`
	WASI            *wasiConfig       `json:"wasi,omitempty"`
	MountedBinaries map[string]string `json:"mounted_binaries,omitempty"`
}

type wasiConfig struct {
	Envs       map[string]string `json:"envs"`
	MappedDirs map[string]string `json:"mapped_dirs"`
}

const badConfig = "Error: Error deserializing field 'config': <why>"

// configGrowth is the memory of making a configuration, in lengths of the arguments.
const configGrowth = 32

func (m moduleConfig) value() (value.Value, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return value.Value{}, err
	}
	return value.Parse(string(b))
}

func readConfig(field string, v value.Value) (moduleConfig, error) {
	m, err := parseConfig(v.Text())
	if err != nil {
		return m, typed("Error deserializing field '%s': %v", field, err)
	}
	return m, nil
}

func parseConfig(text string) (m moduleConfig, err error) {
	if err = json.Unmarshal([]byte(text), &m); err == nil && m.Name == "" {
		err = errors.New("missing field `name`")
	}
	return m, err
}

func distMakeModuleConfig(_ *host, _ context.Context, c *call) (value.Value, error) {
	envs, err := c.pairs(5)
	if err != nil {
		return value.Value{}, err
	}
	dirs, err := c.pairs(6)
	if err != nil {
		return value.Value{}, err
	}
	binaries, err := c.pairs(7)
	if err != nil {
		return value.Value{}, err
	}
	fields := []any{
		"name", c.value(0), "load_from", value.Null, "file_name", value.Null,
		"wasi", object("envs", envs, "mapped_dirs", dirs),
	}
	if c.given(3) {
		fields = append(fields, "logger_enabled", c.value(3))
	}
	if binaries.Kind() == value.KindObject && binaries != value.EmptyObject {
		fields = append(fields, "mounted_binaries", binaries)
	}
	if c.given(8) {
		fields = append(fields, "logging_mask", c.value(8))
	}
	size := 0
	for _, a := range c.Args {
		size += len(a.Text())
	}
	if err := c.growResult(3 * size); err != nil { // the text is put together twice
		return value.Value{}, err
	}
	return object(fields...), nil
}

// pairs is an optional object, given as an array of [key, value]; of equal keys the last one stays.
func (c *call) pairs(i int) (value.Value, error) {
	if !c.given(i) {
		return value.Null, nil
	}
	return c.putPairs(value.EmptyObject, c.value(i))
}

func distLoadModuleConfig(h *host, _ context.Context, c *call) (value.Value, error) {
	text, err := h.cat(c, c.str(0))
	if err != nil {
		return value.Value{}, err
	}
	if err := c.grow(configGrowth * len(text)); err != nil {
		return value.Value{}, err
	}
	m, err := parseConfig(text)
	if err != nil {
		return value.Value{}, typed("Error parsing module config from vault %q: %v", services.Cut(c.str(0)), err)
	}
	return m.value()
}

// blueprint is a list of modules that make a service, the last one its face. Its text is
// DAG-JSON: {"dependencies":[{"/":"<cid>"},...],"name":"<name>"}.
type blueprint struct {
	name         string
	dependencies []string
}

func (b blueprint) text() string {
	links := make([]value.Value, len(b.dependencies))
	for i, c := range b.dependencies {
		links[i] = object("/", value.String(c))
	}
	return object("dependencies", value.Array(links), "name", value.String(b.name)).Text()
}

// readBlueprint reads DAG-JSON; its errors are those of the reference peer.
func readBlueprint(text string) (b blueprint, err error) {
	v, err := value.Parse(text)
	if err != nil {
		return b, err
	}
	name, ok := v.Field("name")
	if !ok {
		return b, errors.New("name field is missing")
	}
	list, ok := v.Field("dependencies")
	if !ok {
		return b, errors.New("dependencies field is missing")
	}
	if b.name, ok = name.AsString(); !ok {
		return b, errors.New("name field is not a string")
	}
	if list.Kind() != value.KindArray {
		return b, errors.New("dependencies field is not a list")
	}
	for link := range list.All() {
		target, _ := link.Field("/")
		id, ok := target.AsString()
		if !ok || len(id) > maxCID || link != object("/", target) || checkCID(id) != nil {
			return b, errors.New("dependency is not a link")
		}
		b.dependencies = append(b.dependencies, id)
	}
	return b, nil
}

const maxCID = 256

func checkCID(text string) error {
	if len(text) > maxCID {
		return fmt.Errorf("%d characters are too long for a CID", len(text))
	}
	_, err := cid.Decode(text)
	return err
}

func distMakeBlueprint(_ *host, _ context.Context, c *call) (value.Value, error) {
	var deps []string
	for e := range c.value(1).All() {
		d, _ := e.AsString()
		if err := checkCID(d); err != nil {
			return value.Value{}, typed("Error deserializing field 'dependencies': '%s' is not a CID: %v", services.Cut(d), err)
		}
		deps = append(deps, d)
	}
	// A link is some 50 bytes of text, and on its way to text a few times that.
	if err := c.grow(8 * (len(c.value(0).Text()) + len(c.value(1).Text()))); err != nil {
		return value.Value{}, err
	}
	return value.String(blueprint{c.str(0), deps}.text()), nil
}

func distLoadBlueprint(h *host, _ context.Context, c *call) (value.Value, error) {
	text, err := h.cat(c, c.str(0))
	if err != nil {
		return value.Value{}, err
	}
	if err := c.grow(jsonGrowth * len(text)); err != nil {
		return value.Value{}, err
	}
	b, err := readBlueprint(strings.TrimSpace(text))
	if err != nil {
		return value.Value{}, plain("Error parsing blueprint from vault %q: %v", services.Cut(c.str(0)), err)
	}
	return value.String(b.text()), nil
}
