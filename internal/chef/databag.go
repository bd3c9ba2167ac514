package chef

import (
	"context"
	"encoding/json"
	"net/http"
)

// ListDataBags returns the names of all data bags, sorted, empty ones included.
// See https://docs.chef.io/server/api_chef_server/#data.
func (c *Client) ListDataBags(ctx context.Context) ([]string, error) { return c.list(ctx, "data") }

// CreateDataBag creates an empty data bag; [IsConflict] if it exists, which most
// callers will take for success.
func (c *Client) CreateDataBag(ctx context.Context, name string) error {
	if _, err := objectPath("data", name); err != nil {
		return err
	}
	return c.write(ctx, http.MethodPost, map[string]string{"name": name}, "data")
}

// DeleteDataBag deletes a data bag with all its items; [IsNotFound] if there is
// none.
func (c *Client) DeleteDataBag(ctx context.Context, name string) error {
	return c.remove(ctx, "data", name)
}

// HasDataBag reports whether there is a data bag of that name. It costs as much
// as listing its items.
func (c *Client) HasDataBag(ctx context.Context, name string) (bool, error) {
	_, err := c.ListDataBagItems(ctx, name)
	if IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// ListDataBagItems returns the ids of all items of a data bag, sorted;
// [IsNotFound] if there is no such bag.
func (c *Client) ListDataBagItems(ctx context.Context, bag string) ([]string, error) {
	return c.list(ctx, "data", bag)
}

// GetDataBagItem returns an item exactly as it is stored; [IsNotFound] if there
// is no such item or bag.
func (c *Client) GetDataBagItem(ctx context.Context, bag, id string) (json.RawMessage, error) {
	return c.getObject(ctx, "id", "data", bag, id)
}

// CreateDataBagItem creates an item; [IsConflict] if it exists, [IsNotFound] if
// there is no such bag, [ErrInvalid] if raw has another id.
func (c *Client) CreateDataBagItem(ctx context.Context, bag, id string, raw json.RawMessage) error {
	wrapped, err := wrapItem(bag, id, raw)
	if err != nil {
		return err
	}
	return c.write(ctx, http.MethodPost, wrapped, "data", bag)
}

// UpdateDataBagItem replaces an item and may be repeated; [IsNotFound] if there
// is none, [ErrInvalid] if raw has another id.
func (c *Client) UpdateDataBagItem(ctx context.Context, bag, id string, raw json.RawMessage) error {
	wrapped, err := wrapItem(bag, id, raw)
	if err != nil {
		return err
	}
	return c.write(ctx, http.MethodPut, wrapped, "data", bag, id)
}

// DeleteDataBagItem deletes an item; [IsNotFound] if there is none.
func (c *Client) DeleteDataBagItem(ctx context.Context, bag, id string) error {
	return c.remove(ctx, "data", bag, id)
}

// A wrappedItem is an item as Chef's own tools send it.
type wrappedItem struct {
	Name      string          `json:"name"`
	JSONClass string          `json:"json_class"`
	ChefType  string          `json:"chef_type"`
	DataBag   string          `json:"data_bag"`
	RawData   json.RawMessage `json:"raw_data"`
}

// wrapItem wraps an item. Servers take off one layer, and only if there is one:
// sent bare, an item whose own content looks wrapped would lose it.
func wrapItem(bag, id string, raw json.RawMessage) (wrappedItem, error) {
	if _, err := objectPath("data", bag, id); err != nil {
		return wrappedItem{}, err
	}
	if err := checkName(raw, "id", id); err != nil {
		return wrappedItem{}, err
	}
	return wrappedItem{
		Name:      "data_bag_item_" + bag + "_" + id,
		JSONClass: "Chef::DataBagItem",
		ChefType:  "data_bag_item",
		DataBag:   bag,
		RawData:   raw,
	}, nil
}
