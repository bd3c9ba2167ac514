package sample

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// What a [Churn] makes. The number of names is the bound: eight items, four
// roles, four environments, three data bags with an item each, and [maxVersions]
// make [MaxExtra].
var (
	people = []thing{
		{"anouk", "Anouk Dubois"}, {"bence", "Bence Szűcs"}, {"carmen", "Carmen Ibáñez"}, {"emil", "Emil Horak"},
		{"fatima", "Fatima Haddad"}, {"jonas", "Jonas Lind"}, {"mei", "陈 梅"}, {"ruth", "Ruth Okafor"},
	}
	workers = []thing{
		{"import_worker", "imports"}, {"mail_worker", "mail"}, {"report_worker", "reports"}, {"thumbnail_worker", "thumbnails"},
	}
	branches = []thing{
		{"review-checkout", "checkout"}, {"review-payments", "payments"}, {"review-search", "search"}, {"review-wishlist", "wishlist"},
	}
	campaigns = []thing{{"campaign_advent", "advent"}, {"campaign_easter", "easter"}, {"campaign_summer", "summer"}}
)

func (ch *Churn) addItem(ctx context.Context) (string, error) {
	who, ok := ch.items.take(ch.rng)
	if !ok {
		return "", nil
	}
	group := oneOf(ch, "developers", "sysadmin", "oncall")
	uid := 2100 + ch.hired%800
	ch.hired++
	body, err := json.Marshal(map[string]any{
		"id": who.name, "uid": uid, "name": who.label, "groups": []string{group}, "shell": "/bin/bash",
		"ssh_keys": []string{"ssh-ed25519 AAAAexample-" + who.name + " " + who.name + "@laptop"},
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("data bag item users/%s: added, uid %d in group %s", who.name, uid, group),
		putItem(ctx, ch.client, "users", who.name, body)
}

func (ch *Churn) deleteItem(ctx context.Context) (string, error) {
	return deleteOldest(&ch.items, "data bag item users/", func(name string) error {
		return ch.client.DeleteDataBagItem(ctx, "users", name)
	})
}

func (ch *Churn) addRole(ctx context.Context) (string, error) {
	worker, ok := ch.roles.take(ch.rng)
	if !ok {
		return "", nil
	}
	threads := oneOf(ch, 2, 4, 8, 16)
	body, err := json.Marshal(map[string]any{
		"name": worker.name, "description": "Works on the queue of " + worker.label + ".",
		"json_class": "Chef::Role", "chef_type": "role",
		"default_attributes":  map[string]any{"webshop": map[string]any{"worker": map[string]any{"queue": worker.label, "threads": threads}}},
		"override_attributes": map[string]any{},
		"run_list":            []string{"role[base]", "recipe[webshop]"},
		"env_run_lists":       map[string]any{},
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("role %s: added, %d threads", worker.name, threads), putRole(ctx, ch.client, worker.name, body)
}

func (ch *Churn) deleteRole(ctx context.Context) (string, error) {
	return deleteOldest(&ch.roles, "role ", func(name string) error { return ch.client.DeleteRole(ctx, name) })
}

func (ch *Churn) addEnvironment(ctx context.Context) (string, error) {
	branch, ok := ch.environments.take(ch.rng)
	if !ok {
		return "", nil
	}
	body, err := json.Marshal(map[string]any{
		"name": branch.name, "description": "The branch " + branch.label + ", until it is merged.",
		"json_class": "Chef::Environment", "chef_type": "environment",
		"default_attributes":  map[string]any{"webshop": map[string]any{"branch": branch.label, "instances": 1 + ch.rng.IntN(3)}},
		"override_attributes": map[string]any{},
		"cookbook_versions":   map[string]string{"webshop": ">= 0.10.0"},
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("environment %s: added", branch.name), putEnvironment(ctx, ch.client, branch.name, body)
}

func (ch *Churn) deleteEnvironment(ctx context.Context) (string, error) {
	return deleteOldest(&ch.environments, "environment ", func(name string) error {
		return ch.client.DeleteEnvironment(ctx, name)
	})
}

func (ch *Churn) addBag(ctx context.Context) (string, error) {
	campaign, ok := ch.bags.take(ch.rng)
	if !ok {
		return "", nil
	}
	discount := oneOf(ch, "5", "7.50", "10", "12.50")
	body, err := json.Marshal(map[string]any{
		"id": "banner", "title": strings.ToUpper(campaign.label[:1]) + campaign.label[1:], "discount_percent": json.Number(discount),
	})
	if err != nil {
		return "", err
	}
	if err := putBag(ctx, ch.client, campaign.name); err != nil {
		return "", err
	}
	return fmt.Sprintf("data bag %s: added, with a banner for %s %% off", campaign.name, discount),
		putItem(ctx, ch.client, campaign.name, "banner", body)
}

func (ch *Churn) deleteBag(ctx context.Context) (string, error) {
	return deleteOldest(&ch.bags, "data bag ", func(name string) error { return ch.client.DeleteDataBag(ctx, name) })
}

// deleteOldest deletes the oldest thing of a pool, if it has enough of them.
func deleteOldest(p *pool, kind string, remove func(name string) error) (string, error) {
	t, ok := p.oldest()
	if !ok {
		return "", nil
	}
	err := remove(t.name)
	p.gone(err)
	if err != nil {
		return "", fmt.Errorf("delete %s%s: %w", kind, t.name, err)
	}
	return kind + t.name + ": deleted", nil
}

// oneOf picks a value.
func oneOf[T any](ch *Churn, values ...T) T { return values[ch.rng.IntN(len(values))] }
