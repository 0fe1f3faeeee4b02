// Package manifests holds deploy/kubernetes against the types and the published schemas of
// Kubernetes. It is a module of its own, so that peers do not depend on any of this:
//
//	cd test/deploy/manifests && go test ./...
package manifests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	openapi_v2 "github.com/google/gnostic-models/openapiv2"
	"google.golang.org/protobuf/proto"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi/kubernetesapi"
	"sigs.k8s.io/yaml"
)

const folder = "../../../deploy/kubernetes"

// schemas are the definitions of the published OpenAPI document, without references.
type schemas map[string]spec.Schema

func loadSchemas(t *testing.T) schemas {
	t.Helper()
	raw := kubernetesapi.OpenAPIMustAsset[kubernetesapi.DefaultOpenAPI]("kubernetesapi/" + strings.ReplaceAll(kubernetesapi.DefaultOpenAPI, ".", "_") + "/swagger.pb")
	var document openapi_v2.Document
	if err := proto.Unmarshal(raw, &document); err != nil {
		t.Fatal(err)
	}
	var swagger spec.Swagger
	if ok, err := swagger.FromGnostic(&document); err != nil || !ok {
		t.Fatal("the schemas do not load", err)
	}
	return schemas(swagger.Definitions)
}

// resolved is a schema with its references replaced by what they name. The kinds used here have
// no recursion. Fields that a schema does not name are not allowed.
func (s schemas) resolved(schema spec.Schema) spec.Schema {
	if name := strings.TrimPrefix(schema.Ref.String(), "#/definitions/"); name != "" {
		return s.resolved(s[name])
	}
	if schema.Format == "int-or-string" { // which JSON Schema does not know
		number, text := spec.Schema{}, spec.Schema{}
		number.Type, text.Type = spec.StringOrArray{"integer"}, spec.StringOrArray{"string"}
		schema.Type, schema.Format, schema.AnyOf = nil, "", []spec.Schema{number, text}
	}
	if len(schema.Properties) > 0 {
		properties := map[string]spec.Schema{}
		for name, p := range schema.Properties {
			properties[name] = s.resolved(p)
		}
		schema.Properties = properties
		schema.AdditionalProperties = &spec.SchemaOrBool{Allows: false}
	} else if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		inner := s.resolved(*schema.AdditionalProperties.Schema)
		schema.AdditionalProperties = &spec.SchemaOrBool{Allows: true, Schema: &inner}
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		inner := s.resolved(*schema.Items.Schema)
		schema.Items = &spec.SchemaOrArray{Schema: &inner}
	}
	return schema
}

// check holds a manifest against the schema of its kind.
func (s schemas) check(object map[string]any) error {
	version, kind := fmt.Sprint(object["apiVersion"]), fmt.Sprint(object["kind"])
	group := "core"
	if g, v, ok := strings.Cut(version, "/"); ok {
		group, version = strings.TrimSuffix(g, ".k8s.io"), v
	}
	schema, ok := s["io.k8s.api."+group+"."+version+"."+kind]
	if !ok {
		return fmt.Errorf("there is no schema of %s %s", group, kind)
	}
	schema = s.resolved(schema)
	result := validate.NewSchemaValidator(&schema, nil, "", strfmt.Default).Validate(object)
	return result.AsError()
}

// decoder reads manifests into the types of Kubernetes and refuses what these do not have.
func decoder(t *testing.T) runtime.Decoder {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, policyv1.AddToScheme, networkingv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
}

// rendered are the manifests that kubectl apply -k sends, and the example of the secret.
func rendered(t *testing.T) [][]byte {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	secret, err := os.ReadFile(filepath.Join(folder, "secret.example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return append(all, secret)
}

func TestSchemas(t *testing.T) {
	schemas, decode := loadSchemas(t), decoder(t)
	for _, text := range rendered(t) {
		object, err := validated(schemas, decode, text)
		if err != nil {
			t.Errorf("%v\n%s", err, text)
			continue
		}
		t.Logf("%s is valid", object.GetObjectKind().GroupVersionKind())
	}
}

func validated(s schemas, decode runtime.Decoder, text []byte) (runtime.Object, error) {
	var object map[string]any
	if err := yaml.UnmarshalStrict(text, &object); err != nil {
		return nil, err
	}
	if err := s.check(object); err != nil {
		return nil, err
	}
	typed, _, err := decode.Decode(text, nil, nil)
	return typed, err
}

// The checks do find what is wrong.
func TestSchemasRefuse(t *testing.T) {
	schemas, decode := loadSchemas(t), decoder(t)
	var good []byte
	for _, text := range rendered(t) {
		if bytes.Contains(text, []byte("kind: StatefulSet")) {
			good = text
		}
	}
	for _, change := range [][2]string{
		{"serviceName: aquanode", "servicename: aquanode"},
		{"serviceName: aquanode", ""},
		{"replicas: 3", "replicas: three"},
		{"periodSeconds: 5", "periodSeconds: 5s"},
		{"readOnlyRootFilesystem: true", "readOnlyRootFileSystem: true"},
		{"apiVersion: apps/v1", "apiVersion: apps/v7"},
		{"mountPath: /data", "path: /data"},
		{"port: admin", "port: [admin]"},
	} {
		bad := strings.ReplaceAll(string(good), change[0], change[1])
		if bad == string(good) {
			t.Errorf("the manifest has no %q", change[0])
		}
		if _, err := validated(schemas, decode, []byte(bad)); err == nil {
			t.Errorf("%q instead of %q is not found", change[1], change[0])
		}
	}
}

// What the manifests say of each other.
func TestReferences(t *testing.T) {
	decode := decoder(t)
	var set *appsv1.StatefulSet
	var budget *policyv1.PodDisruptionBudget
	var policy *networkingv1.NetworkPolicy
	services, configs, secrets := map[string]*corev1.Service{}, map[string]*corev1.ConfigMap{}, map[string]*corev1.Secret{}
	for _, text := range rendered(t) {
		object, _, err := decode.Decode(text, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		switch o := object.(type) {
		case *appsv1.StatefulSet:
			set = o
		case *policyv1.PodDisruptionBudget:
			budget = o
		case *networkingv1.NetworkPolicy:
			policy = o
		case *corev1.Service:
			services[o.Name] = o
		case *corev1.ConfigMap:
			configs[o.Name] = o
		case *corev1.Secret:
			secrets[o.Name] = o
		}
	}
	pod := set.Spec.Template
	for what, selector := range map[string]*metav1.LabelSelector{
		"StatefulSet": set.Spec.Selector, "PodDisruptionBudget": budget.Spec.Selector, "NetworkPolicy": &policy.Spec.PodSelector,
	} {
		if s, err := metav1.LabelSelectorAsSelector(selector); err != nil || s.Empty() || !s.Matches(labels.Set(pod.Labels)) {
			t.Errorf("the selector of the %s does not find the pods: %v", what, err)
		}
	}
	headless := services[set.Spec.ServiceName]
	if headless == nil || headless.Spec.ClusterIP != corev1.ClusterIPNone || !headless.Spec.PublishNotReadyAddresses {
		t.Errorf("want a headless service %s that names pods before they are ready", set.Spec.ServiceName)
	}
	first := labels.Set{"statefulset.kubernetes.io/pod-name": set.Name + "-0"}
	ports := map[string]bool{}
	container := pod.Spec.Containers[0]
	for _, p := range container.Ports {
		ports[p.Name] = true
	}
	for name, s := range services {
		if !labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Merge(labels.Set(pod.Labels), first)) {
			t.Errorf("service %s does not find the first pod", name)
		}
		for _, p := range s.Spec.Ports {
			if !ports[p.TargetPort.StrVal] {
				t.Errorf("service %s: the pods have no port %q", name, p.TargetPort.StrVal)
			}
		}
	}
	for _, rule := range policy.Spec.Ingress {
		for _, p := range rule.Ports {
			if !ports[p.Port.StrVal] {
				t.Errorf("NetworkPolicy: the pods have no port %q", p.Port.StrVal)
			}
		}
	}
	for what, probe := range map[string]*corev1.Probe{"readiness": container.ReadinessProbe, "liveness": container.LivenessProbe, "startup": container.StartupProbe} {
		if probe == nil || !ports[probe.HTTPGet.Port.StrVal] {
			t.Errorf("the %s probe asks a port that the pods do not have", what)
		}
	}
	volumes := map[string]bool{set.Spec.VolumeClaimTemplates[0].Name: true}
	for _, v := range pod.Spec.Volumes {
		volumes[v.Name] = true
		if v.Secret != nil {
			keys := secrets[v.Secret.SecretName]
			for n := range int(*set.Spec.Replicas) {
				if name := fmt.Sprintf("%s-%d.toml", set.Name, n); keys == nil || keys.StringData[name] == "" {
					t.Errorf("secret %s has no key for %s", v.Secret.SecretName, name)
				}
			}
		}
		if v.ConfigMap != nil && (configs[v.ConfigMap.Name] == nil || len(configs[v.ConfigMap.Name].Data) == 0) {
			t.Errorf("there is no config map %s", v.ConfigMap.Name)
		}
	}
	for _, m := range container.VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("there is no volume %s", m.Name)
		}
	}
	for _, e := range container.Env {
		if e.Name == "AQUANODE_BOOTSTRAP" && e.Value != fmt.Sprintf("/dns4/%s-0.%s/tcp/7777", set.Name, headless.Name) {
			t.Errorf("the bootstrap address %s is not that of the first pod", e.Value)
		}
	}
}
