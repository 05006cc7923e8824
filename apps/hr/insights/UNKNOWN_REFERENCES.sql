-- Employees whose department or job is not in its table, as files come in any order.
-- column id integer: of the employee
-- column reference text: department_id or job_id
-- column value integer: that is not in the table
-- table departments
-- table jobs
-- table hired_employees
select e.id, 'department_id' as reference, e.department_id as value
from hired_employees e left join departments d on d.id = e.department_id
where d.id is null
union all
select e.id, 'job_id' as reference, e.job_id as value
from hired_employees e left join jobs j on j.id = e.job_id
where j.id is null
order by id, reference
