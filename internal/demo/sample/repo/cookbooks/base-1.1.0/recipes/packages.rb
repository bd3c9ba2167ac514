apt_update 'daily' do
  frequency 86_400
end

package node['base']['packages']
