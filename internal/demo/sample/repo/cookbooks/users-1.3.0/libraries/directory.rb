module Users
  # Directory picks the people who have an account on a machine.
  class Directory
    def initialize(items)
      @items = items
    end

    def members_of(groups)
      @items.reject { |i| i['state'] == 'gone' }
            .select { |i| (Array(i['groups']) & groups).any? }
            .sort_by { |i| i['uid'] }
    end

    def gone
      @items.select { |i| i['state'] == 'gone' }
    end
  end
end
