package kinds

import "strings"

// normalizeRole fills in the keys that servers fill in on write and brings run
// lists into the stored form.
// Source: https://docs.chef.io/server/api_chef_server/#roles
func normalizeRole(doc map[string]any) {
	fillIn(doc, map[string]any{
		"description": "", "json_class": "Chef::Role", "chef_type": "role",
		"default_attributes": map[string]any{}, "override_attributes": map[string]any{},
		"run_list": []any{}, "env_run_lists": map[string]any{},
	})
	if list, ok := doc["run_list"].([]any); ok {
		doc["run_list"] = normalizeRunList(list)
	}
	byEnv, _ := doc["env_run_lists"].(map[string]any)
	for env, v := range byEnv {
		if list, ok := v.([]any); ok {
			byEnv[env] = normalizeRunList(list)
		}
	}
}

// normalizeEnvironment fills in the keys that servers fill in on write.
// Source: https://docs.chef.io/server/api_chef_server/#environments
func normalizeEnvironment(doc map[string]any) {
	fillIn(doc, map[string]any{
		"description": "", "json_class": "Chef::Environment", "chef_type": "environment",
		"default_attributes": map[string]any{}, "override_attributes": map[string]any{},
		"cookbook_versions": map[string]any{},
	})
}

// normalizeNode fills in the keys that servers fill in on write and brings the run
// list into the stored form.
// Source: https://docs.chef.io/server/api_chef_server/#nodes
func normalizeNode(doc map[string]any) {
	fillIn(doc, map[string]any{
		"chef_environment": "_default", "json_class": "Chef::Node", "chef_type": "node",
		"normal": map[string]any{}, "default": map[string]any{}, "override": map[string]any{}, "automatic": map[string]any{},
		"run_list": []any{},
	})
	if list, ok := doc["run_list"].([]any); ok {
		doc["run_list"] = normalizeRunList(list)
	}
}

func fillIn(doc, defaults map[string]any) {
	for k, v := range defaults {
		if _, has := doc[k]; !has {
			doc[k] = v
		}
	}
}

// normalizeRunList spells bare names as recipes and drops exact repetitions, as
// servers do on every write. Entries that are no strings stay as they are.
func normalizeRunList(list []any) []any {
	out := make([]any, 0, len(list))
	seen := map[string]bool{}
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			out = append(out, e)
			continue
		}
		if !strings.HasSuffix(s, "]") {
			s = "recipe[" + s + "]"
		}
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
